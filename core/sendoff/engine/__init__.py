"""Plan, dispatch, judge, decide: the engine, which decides everything and touches nothing."""
