// GraphQL Yoga as it comes, with people in it: node graphql_people.cjs PORT (with NODE_PATH set).
const { createServer } = require("node:http");
const { createSchema, createYoga } = require("graphql-yoga");
const { GraphQLError } = require("graphql");

const people = new Map();
const schema = createSchema({
  typeDefs: `
    input Person { id: ID! email: String! age: Int }
    type Stored { id: ID! email: String! }
    type UserError { code: String! message: String! index: Int! }
    type Payload { ids: [ID!]! userErrors: [UserError!]! }
    type Query { people: [Stored!]! count: Int! }
    type Mutation { addPerson(person: Person!): ID! addPeople(people: [Person!]!): Payload! }
  `,
  resolvers: {
    Query: { people: () => [...people.values()], count: () => people.size },
    Mutation: {
      addPerson: (_, { person }) => {
        if (people.has(person.id)) throw new GraphQLError("id is taken", { extensions: { code: "TAKEN" } });
        people.set(person.id, person);
        return person.id;
      },
      addPeople: (_, { people: given }) => {
        const userErrors = [];
        const ids = [];
        given.forEach((person, index) => {
          if (people.has(person.id)) userErrors.push({ code: "TAKEN", message: "id is taken", index });
          else if (!person.email.includes("@")) userErrors.push({ code: "INVALID", message: "email is not an address", index });
          else ids.push(people.set(person.id, person) && person.id);
        });
        return { ids, userErrors };
      },
    },
  },
});
const yoga = createYoga({
  schema,
  logging: false,
  graphiql: false,
  plugins: [
    {
      onRequest({ request, fetchAPI, endResponse }) {
        if (request.headers.get("authorization") === "Bearer graphql-token") return;
        endResponse(new fetchAPI.Response('{"errors":[{"message":"who are you?"}]}', { status: 401 }));
      },
    },
  ],
});
createServer(yoga).listen(Number(process.argv[2]), "127.0.0.1");
