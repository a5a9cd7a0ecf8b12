// Trigger 1/1: after a login by an identity provider.

const claimReader = () => {
  let claims;
  return (name) => {
    claims ??= { __proto__: null, ...own.part("idTokenClaims") };
    return claims[own.text(name)] ?? null;
  };
};

own.contextOf = () => {
  const v1 = {};
  fromRequests(v1, "externalUser");
  later(v1, "providerInfo", () => own.load("provider")(), true);
  addRequests(v1);
  v1.authError = own.part("authError");
  v1.org = { getMetadata: metadataReader("orgMetadata") };
  return {
    accessToken: own.part("accessToken"),
    idToken: own.part("idToken"),
    refreshToken: own.part("refreshToken"),
    getClaim: claimReader(),
    claimsJSON: () => own.setup.context.idTokenClaims,
    v1,
  };
};

own.apiOf = () => {
  const api = {};
  addSetters(api);
  api.setPreferredUsername = setter("preferredUsername", own.text);
  addMetadata(api);
  return api;
};
