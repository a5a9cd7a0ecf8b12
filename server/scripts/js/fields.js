// Defines the setters of a user's fields.

const setter = (field, convert) => (value) => {
  const converted = convert(value);
  own.effect(`{"op":"field","name":"${field}","value":${convert === own.text ? own.bounded(converted) : converted}}`);
};

const flag = (value) => !!value;

const addSetters = (api) => {
  api.setFirstName = setter("firstName", own.text);
  api.setLastName = setter("lastName", own.text);
  api.setNickName = setter("nickName", own.text);
  api.setDisplayName = setter("displayName", own.text);
  api.setPreferredLanguage = setter("preferredLanguage", own.text);
  api.setEmail = setter("email", own.text);
  api.setEmailVerified = setter("isEmailVerified", flag);
  api.setPhone = setter("phone", own.text);
  api.setPhoneVerified = setter("isPhoneVerified", flag);
};
