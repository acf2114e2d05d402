// node's undici: lines of a file, one by one or in JSON arrays. node undici.mjs URL FILE RECORDS CONCURRENCY
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Pool } from 'undici';

const [url, file, size, most] = [new URL(process.argv[2]), process.argv[3], +process.argv[4], +process.argv[5]];
const pool = new Pool(url.origin, { connections: most, pipelining: 1 });
let busy = 0, wake = null;
async function post(body) {
  busy++;
  const answer = await pool.request({ path: '/x', method: 'POST', headers: { 'content-type': 'application/json' }, body });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(answer.statusCode);
  busy--;
  if (wake) { wake(); wake = null; }
}
let rows = [];
const flush = () => { post('[' + rows.join(',') + ']'); rows = []; };
for await (const line of createInterface({ input: createReadStream(file, { highWaterMark: 1 << 20 }), crlfDelay: Infinity })) {
  if (size === 1) post(line);
  else if (rows.push(line) === size) flush();
  while (busy >= most) await new Promise(done => { wake = done; });
}
if (rows.length) flush();
while (busy) await new Promise(done => { wake = done; });
await pool.close();
