// Trigger 3/1: after a login with a password or a second factor.

own.contextOf = () => {
  const v1 = { authMethod: own.part("authMethod"), authError: own.part("authError") };
  addRequests(v1);
  return { v1 };
};

own.apiOf = () => {
  const api = {};
  addMetadata(api);
  return api;
};
