// One call over WebSocket, by the WebSocket of Node or of a page; so it refers to nothing outside.

// Send the first message, the next one for each that comes, and give all that came: {url, protocols, sent}.
// Octets are arrays of numbers, both ways.
export function talk({ url, protocols, sent }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, protocols);
    socket.binaryType = "arraybuffer";
    const queue = sent.map((each) => (Array.isArray(each) ? Uint8Array.from(each) : each));
    const got = [];
    let protocol = null;
    const sendNext = () => {
      if (queue.length) socket.send(queue.shift());
    };
    socket.onopen = () => {
      protocol = socket.protocol;
      if (protocol.endsWith("+metadata")) sendNext();
      sendNext();
    };
    socket.onmessage = ({ data }) => {
      got.push(typeof data === "string" ? JSON.parse(data) : [...new Uint8Array(data)]);
      sendNext();
    };
    socket.onclose = ({ code, reason, wasClean }) =>
      resolve({ protocol, got, code, reason, wasClean });
  });
}
