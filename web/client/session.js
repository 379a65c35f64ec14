// Who is signed in, in every tab of this browser.
//
// Where the tokens live: in localStorage, as one record. Tabs must share them, because a refresh token is good for
// one use: two tabs with a copy each would end one another's session. The API takes tokens in a header and sets no
// cookie, so there is no HttpOnly place. Memory alone would sign out at every reload, and sessionStorage keeps tabs
// apart. What a script could steal from localStorage, an injected script could as well use in place; so the defence
// is that none runs: a Content-Security-Policy without exceptions, Trusted Types, one sanitiser. And a stolen refresh
// token gives itself away: the second use of it ends the session, and sessions can be seen and ended by their user.

import { ApiError, call } from "./call.js";

const KEY = "codesherpa.session";
const MARGIN = 10_000; // Milliseconds before its end that a token is no longer used for a call.

// Events: "begin" and "renew" when tokens came, "end" with {reason} when they went: "signed_out", "elsewhere" (in
// another tab), "ended" (the server refuses them). All are told in every tab.
export class Session extends EventTarget {
  constructor(api) {
    super();
    this.api = api;
    this.record = read();
    addEventListener("storage", (event) => {
      if (event.key === KEY || event.key === null) this.#take(read(), "elsewhere");
    });
  }

  get signedIn() {
    return this.record !== null;
  }

  async register(name, email, password) {
    await call("POST", `${this.api}/auth/register`, { body: { name, email, password } });
    return this.signIn(email, password);
  }

  async signIn(email, password) {
    const tokens = await call("POST", `${this.api}/auth/login`, { body: { email, password } });
    this.#keep(tokens, tokens.user.id);
    return tokens.user;
  }

  async signOut() {
    const token = await this.fresh().catch(() => null);
    this.end("signed_out");
    if (token) await call("POST", `${this.api}/auth/logout`, { token }).catch(() => {});
  }

  // Forget the tokens, in every tab.
  end(reason) {
    localStorage.removeItem(KEY);
    this.#take(null, reason);
  }

  // Give an access token that will be taken, and is not `stale`, one that was refused. Throws ApiError.
  async fresh(stale) {
    return this.#usable(stale) ?? alone(() => this.#usable(stale) ?? this.#rotate());
  }

  #usable(stale) {
    const record = read(); // Another tab may have renewed it a moment ago.
    this.#take(record, "elsewhere");
    if (!record) throw new ApiError(401, "unauthorized", "Nobody is signed in.");
    const good = record.access_token !== stale && record.expires_at - Date.now() > MARGIN;
    return good ? record.access_token : null;
  }

  async #rotate() {
    const { refresh_token, user_id } = this.record;
    try {
      const tokens = await call("POST", `${this.api}/auth/refresh`, { token: refresh_token });
      if (!read()) throw new ApiError(401, "unauthorized", "Signed out meanwhile.");
      this.#keep(tokens, user_id);
      return tokens.access_token;
    } catch (error) {
      // 401: spent, revoked or run out; 403: the account is deactivated. Anything else may pass.
      if ([401, 403].includes(error.status) && this.signedIn) this.end("ended");
      throw error;
    }
  }

  #keep({ access_token, refresh_token, expires_in }, user_id) {
    const record = { access_token, refresh_token, expires_at: Date.now() + expires_in * 1000, user_id };
    localStorage.setItem(KEY, JSON.stringify(record));
    this.#take(record);
  }

  #take(record, reason) {
    const before = this.record;
    this.record = record;
    if (before?.access_token === record?.access_token) return;
    if (before && before.user_id !== record?.user_id) this.#tell("end", { reason });
    if (record) this.#tell(before?.user_id === record.user_id ? "renew" : "begin");
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

// Do something in one tab at a time. Browsers lack locks on plain http outside localhost; two refreshes at once then
// get the same tokens from the server, which allows that for ten seconds.
function alone(work) {
  return navigator.locks ? navigator.locks.request(KEY, work) : work();
}
