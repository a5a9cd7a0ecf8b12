// Makes dates of the context: Go's time, not Date, with Go's method names in lower camel case.
//
// They convert to the text that Go prints, and to RFC 3339 in JSON. They also compare and subtract
// as numbers, and have getTime and toISOString, which scripts for other engines expect.
// They are frozen objects without members; their texts are in a map.

own.times = new WeakMap();

// Their methods are made at the first access to one.
const dates = { __proto__: null };
dates.get = (methods, key, time) => own.getOf(own.load("dates")(methods, dates), key, time);
dates.has = (methods, key) => key in own.load("dates")(methods, dates);
const methods = new Proxy({}, dates);

own.time = (rfc3339) => {
  const time = own.freeze({ __proto__: methods });
  own.apply(own.mapSet, own.times, [time, rfc3339]);
  return time;
};

own.withTimes = (object, ...names) => {
  for (let index = 0; index < names.length; index++) {
    object[names[index]] = own.time(object[names[index]]);
  }
  return object;
};
