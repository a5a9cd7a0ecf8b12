// Makes `providerInfo` of trigger 1/1. Its methods read members whose names depend on the provider.

const { defineProperty, freeze, keys, part, slice } = names;

const METHODS = freeze({
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

return () => {
  const data = part("providerInfo");
  if (data === null) return null;
  const source = data.user ?? data.rawInfo ?? data;
  const names = keys(METHODS);
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    const candidates = METHODS[name];
    const value = () => {
      for (let at = 0; at < candidates.length; at++) {
        const found = source[candidates[at]];
        if (found !== undefined && found !== null) return found;
      }
      return slice(name, 0, 2) === "is" ? false : "";
    };
    if (!(name in data)) defineProperty(data, name, { __proto__: null, value });
  }
  return data;
};
