// Trigger 1/1: after a login by an identity provider.

// The methods of `providerInfo`; each reads a member whose name depends on the provider.
const startsWith = method(String.prototype, "startsWith");
const PROVIDER_METHODS = freeze({
  getID: ["subject", "iD", "id", "sub"],
  getFirstName: ["givenName", "firstName", "given_name"],
  getLastName: ["familyName", "lastName", "family_name"],
  getDisplayName: ["displayName", "name"],
  getNickname: ["nickname", "nickName", "login"],
  getPreferredUsername: ["preferredUsername", "userPrincipalName", "login", "preferred_username"],
  getEmail: ["email"],
  isEmailVerified: ["emailVerified", "email_verified"],
  getPhone: ["phoneNumber", "phone", "phone_number"],
  isPhoneVerified: ["phoneNumberVerified", "phone_number_verified"],
  getPreferredLanguage: ["locale", "preferredLanguage"],
  getAvatarURL: ["picture", "avatarURL", "avatarUrl"],
  getProfile: ["profile"],
});

const providerInfoOf = (data) => {
  if (data === null) return null;
  const source = data.user ?? data.rawInfo ?? data;
  const names = keys(PROVIDER_METHODS);
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    const candidates = PROVIDER_METHODS[name];
    const value = () => {
      for (let at = 0; at < candidates.length; at++) {
        const found = source[candidates[at]];
        if (found !== undefined && found !== null) return found;
      }
      return startsWith(name, "is") ? false : "";
    };
    if (!(name in data)) defineProperty(data, name, { __proto__: null, value });
  }
  return data;
};

const claimReader = () => {
  const claims = { __proto__: null, ...part("idTokenClaims") };
  return (name) => claims[text(name)] ?? null;
};

const contextOf = () => ({
  accessToken: part("accessToken"),
  idToken: part("idToken"),
  refreshToken: part("refreshToken"),
  getClaim: claimReader(),
  claimsJSON: () => setup.context.idTokenClaims,
  v1: {
    externalUser: externalUserOf(part("externalUser")),
    providerInfo: providerInfoOf(part("providerInfo")),
    ...requestsOf(),
    authError: part("authError"),
    org: orgOf(),
  },
});

const apiOf = () => {
  const api = {};
  addSetters(api, FIELDS);
  addSetters(api, FIELDS_OF_LOGIN);
  addMetadata(api);
  return api;
};
