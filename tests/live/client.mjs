// The real socket.io-client, driven over standard input: a line of JSON is an order, a line out is what happened.
//   {"do": "connect", "url", "options"}   {"do": "emit", "id", "event", "payload", "silent"}   {"do": "close"}
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

let socket;
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const orders = {
  connect({ url, options }) {
    socket = io(url, { forceNew: true, ...options });
    socket.onAny((event, payload) => say({ event, payload, at: performance.now() }));
    socket.on("connect", () => say({ event: "connect", transport: socket.io.engine.transport.name }));
    socket.on("connect_error", (error) => say({ event: "connect_error", message: error.message, data: error.data }));
    socket.on("disconnect", (reason) => say({ event: "disconnect", reason }));
  },
  emit({ id, event, payload, silent }) {
    const told = { event: "emitted", id, at: performance.now() };
    say(told);
    if (silent) socket.emit(event, payload);
    else socket.emit(event, payload, (answer) => say({ event: "acknowledged", id, answer }));
  },
  close() {
    socket.close();
    process.exit(0);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  orders[order.do](order);
}
socket?.close();
