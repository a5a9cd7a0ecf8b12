// Triggers 2/4 and 2/5: before userinfo and access tokens.

const contextOf = () => ({
  v1: {
    claims: part("claims"),
    getUser: () => userOf(part("user")),
    user: { getMetadata: metadataReader("userMetadata"), grants: grantsOf(part("userGrants")) },
    org: orgOf(),
    application: { getClientId: () => part("application").clientId },
    actor: part("actor"),
  },
});

const claimsApi = () => ({
  setClaim: (key, value) => {
    effect(`{"op":"claim","key":${bounded(text(key))},"value":${encoderOf(value)(value)}}`);
  },
  appendLogIntoClaims: (entry) => effect(`{"op":"claim_log","entry":${bounded(text(entry))}}`),
});

const apiOf = () => ({ v1: { userinfo: claimsApi(), claims: claimsApi(), user: { setMetadata } } });
