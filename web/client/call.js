// One call of the API, and what can come of it.

// What went wrong, as the contract names it: `code` for the program, `message` for the person.
// `data` is the envelope's: `errors` by field, `retry_after` in seconds, `chat`, `request_id`.
// `unreachable` (status 0) is ours: no answer came at all.
export class ApiError extends Error {
  constructor(status, code, message, data = {}) {
    super(message);
    Object.assign(this, { name: "ApiError", status, code, data });
  }
}

// Give the data of an envelope, over HTTP or as an acknowledgement of the socket; throw its error.
export function opened(envelope, status = 0) {
  if (envelope?.success) return envelope.data;
  const data = envelope?.data ?? {};
  throw new ApiError(status, data.code ?? "internal_error", envelope?.message ?? "", data);
}

export async function call(method, url, { body, token } = {}) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(url, { method, headers, body: body && JSON.stringify(body), credentials: "omit" });
  } catch {
    throw new ApiError(0, "unreachable", "The server cannot be reached.");
  }
  // A proxy in between may answer with a page of its own.
  const envelope = await answer.json().catch(() => null);
  return opened(envelope, answer.status);
}

// What carries a time after which to try again passes by itself; a budget that is spent may take hours.
export const passes = (error) => error.data?.retry_after && error.code !== "budget_exceeded";
