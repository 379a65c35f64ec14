// CodeSherpa from a browser: the REST API, the socket, and a session that stays alive over reloads and tabs.
// Copy this file and the folder client/ into your own front end; nothing in them knows the page around them.
//
//   const client = new Client();                  // new Client("https://api.example.com") from another origin
//   await client.session.signIn("ada@example.com", "correct horse battery");
//   client.live.addEventListener("text", ({ detail }) => console.log(detail.more));
//   client.live.addEventListener("end", ({ detail }) => console.log(detail.chat.status));
//   client.live.open();
//   await client.live.send({ message: "Please review this.", code_context: "def f(a=[]): ..." });
//   const { conversations } = await client.get("/chat/conversations", { q: "review" });

import { call } from "./client/call.js";
import { Live } from "./client/live.js";
import { Session } from "./client/session.js";

export { ApiError } from "./client/call.js";

export class Client {
  constructor(origin = "") {
    this.api = `${origin}/api/v1`;
    this.session = new Session(this.api);
    this.live = new Live(`${origin}/ws`, this.session);
  }

  get(path, query = {}) {
    const wanted = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
    const search = new URLSearchParams(wanted).toString();
    return this.request("GET", search ? `${path}?${search}` : path);
  }

  post(path, body) {
    return this.request("POST", path, body);
  }

  put(path, body) {
    return this.request("PUT", path, body);
  }

  delete(path, body) {
    return this.request("DELETE", path, body);
  }

  // Call the API as whoever is signed in. Gives the envelope's data, throws ApiError.
  // A token that ran out on the way is renewed, and the call made once more.
  async request(method, path, body) {
    const token = await this.session.fresh();
    try {
      return await call(method, this.api + path, { body, token });
    } catch (error) {
      if (error.status !== 401) throw error;
      return call(method, this.api + path, { body, token: await this.session.fresh(token) });
    }
  }
}
