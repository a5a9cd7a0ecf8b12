// Triggers 1/2 and 3/2: before a user is created.

const contextOf = () => ({ v1: { user: userOf(part("user")), ...requestsOf(), org: orgOf() } });

const apiOf = () => {
  const api = {};
  addSetters(api, FIELDS);
  addSetters(api, FIELDS_OF_CREATION);
  addMetadata(api);
  return api;
};
