// The types of CodeSherpa's API and events. Made by `make types` from the server's own schemas: do not edit.
// docs/realtime.md shows how to use them.

/** The envelope of what went well. */
export interface Success<T> {
  success: true;
  data: T;
  message: string;
}

/** Every answer of the API, and every acknowledgement. */
export type Envelope<T> = Success<T> | Failure;

/** An agent; `status` reads `processing` while a reply of it is being written. */
export interface Agent {
  id: number;
  name: string;
  description: string | null;
  status: "active" | "inactive" | "processing";
  kind: "general" | "review" | "explain";
  system_prompt: string | null;
  model_id: string | null;
  temperature: number | null;
  max_tokens: number | null;
  user_id: number;
  created_at: string;
  updated_at: string;
}

/** What can be changed of an agent; null clears what may be empty. */
export interface AgentChanges {
  name?: string;
  description?: string | null;
  status?: "active" | "inactive";
  kind?: "general" | "review" | "explain";
  system_prompt?: string | null;
  model_id?: string | null;
  temperature?: number | null;
  max_tokens?: number | null;
}

/** A page of agents, newest first. */
export interface AgentPage {
  /** on this page */
  count: number;
  /** on all pages */
  total: number;
  page: number;
  page_size: number;
  agents: Array<Agent>;
}

/** Something that happened to the account. */
export interface AuditEvent {
  id: number;
  action: string;
  ip: string;
  request_id: string;
  created_at: string;
}

/** A message and the reply to it. */
export interface Chat {
  id: number;
  user_id: number;
  conversation_id: number;
  agent_id: number | null;
  project_id: number | null;
  message: string;
  code_context: string | null;
  /** Markdown, so far or whole */
  response: string;
  result: ReplyResult | ReviewResult | ExplanationResult | null;
  status: "pending" | "streaming" | "complete" | "stopped" | "failed" | "interrupted";
  agent: string | null;
  routing: Routing | null;
  provider: string | null;
  model_id: string | null;
  input_tokens: number | null;
  output_tokens: number | null;
  error: ChatError | null;
  client_message_id: string | null;
  created_at: string;
  completed_at: string | null;
}

/** Why a reply is not whole. */
export interface ChatError {
  code: string;
  message: string;
}

/** The `data` of a `connect_error`. */
export interface ConnectRefused {
  /** A word for machines */
  code: string;
  request_id: string;
  /** Sentences by field */
  errors?: Record<string, Array<string>>;
  /** Whole seconds, as in the header Retry-After */
  retry_after?: number;
  /** Of a model's fault: the chat with the text so far */
  chat?: Chat;
  message: string;
}

/** Chats that belong together. */
export interface Conversation {
  id: number;
  title: string;
  agent_id: number | null;
  project_id: number | null;
  chat_count: number;
  created_at: string;
  updated_at: string;
}

/** What can be changed of a conversation. */
export interface ConversationChanges {
  title?: string;
}

/** A page of conversations, the one with the last chat first. */
export interface ConversationPage {
  /** on this page */
  count: number;
  /** on all pages */
  total: number;
  page: number;
  page_size: number;
  conversations: Array<Conversation>;
}

/** What signs a user in; any text will do, as only the right one is accepted. */
export interface Credentials {
  email: string;
  password: string;
}

/** The next words of a reply; all contents joined are the chat's response. */
export interface Delta {
  type: "delta";
  chat_id: number;
  /** 1, 2, 3, ... for each chat */
  seq: number;
  content: string;
}

/** What an error carries. */
export interface ErrorData {
  /** A word for machines */
  code: string;
  request_id: string;
  /** Sentences by field */
  errors?: Record<string, Array<string>>;
  /** Whole seconds, as in the header Retry-After */
  retry_after?: number;
  /** Of a model's fault: the chat with the text so far */
  chat?: Chat;
}

/** An explanation, in steps that build on one another. */
export interface ExplanationResult {
  kind: "explanation";
  /** Markdown */
  explanation: string;
  learning_steps: Array<string>;
  key_concepts: Array<KeyConcept>;
  analogy: string;
}

/** All that is stored about a user; the lists hold what the other routes show. */
export interface Export {
  user: User;
  sessions: Array<Session>;
  agents: Array<Agent>;
  projects: Array<Project>;
  conversations: Array<Conversation>;
  chats: Array<Chat>;
  audit: Array<AuditEvent>;
}

/** The envelope of an error. */
export interface Failure {
  success: false;
  data: ErrorData;
  message: string;
}

/** Something that a review found. */
export interface Finding {
  severity: "CRITICAL" | "HIGH" | "MEDIUM" | "LOW";
  /** The name given, else code_context or message */
  file: string;
  /** Within that code, from 1 */
  line: number;
  issue: string;
  suggestion: string;
  code_fix: string | null;
}

/** Some chats, oldest first; `next_before` leads to older ones, null where there are none. */
export interface History {
  chats: Array<Chat>;
  count: number;
  next_before: number | null;
}

/** A term that an explanation rests on. */
export interface KeyConcept {
  term: string;
  definition: string;
}

/** A message over a socket, where a client may name the conversation itself. */
export interface Message {
  message: string;
  code_context?: string | null;
  conversation_id?: number | null;
  agent_id?: number | null;
  project_id?: number | null;
  client_message_id?: string | null;
  session_id?: string | null;
}

/** What came of a reply after a delta; the deltas from seq + 1 on follow live. */
export interface Missed {
  chat: Chat;
  /** Of the last delta that `content` holds */
  seq: number;
  content: string;
}

/** An agent to be. */
export interface NewAgent {
  name: string;
  description?: string | null;
  status?: "active" | "inactive";
  kind?: "general" | "review" | "explain";
  system_prompt?: string | null;
  model_id?: string | null;
  temperature?: number | null;
  max_tokens?: number | null;
}

/** A message to a sherpa. */
export interface NewChat {
  message: string;
  code_context?: string | null;
  conversation_id?: number | null;
  agent_id?: number | null;
  project_id?: number | null;
  client_message_id?: string | null;
}

/** A project to be. */
export interface NewProject {
  name: string;
  description?: string | null;
  instructions?: string | null;
  repository?: string | null;
}

/** The user's own password, asked for once more. */
export interface Password {
  password: string;
}

/** The password as it is, and as it is to be. */
export interface PasswordChange {
  current_password: string;
  /** 8 to 72 bytes of UTF-8, not common */
  new_password: string;
}

/** A payload was refused, and the client had asked for no acknowledgement. */
export interface PayloadRefused {
  type: "error";
  /** A word for machines */
  code: string;
  /** A sentence for a person */
  content: string;
  /** Sentences by field */
  errors?: Record<string, Array<string>>;
  /** Whole seconds */
  retry_after?: number;
}

/** What a user may change of itself. */
export interface Profile {
  name?: string;
  email?: string;
  /** Required to change the email address; else not looked at. */
  current_password?: string;
  language?: "en" | "hi" | "hinglish";
  /** A code is sent there, to be sent back from there; null takes the number away. */
  whatsapp_number?: string | null;
}

/** A project. */
export interface Project {
  id: number;
  name: string;
  description: string | null;
  instructions: string | null;
  repository: string | null;
  user_id: number;
  created_at: string;
  updated_at: string;
}

/** What can be changed of a project; null clears what may be empty. */
export interface ProjectChanges {
  name?: string;
  description?: string | null;
  instructions?: string | null;
  repository?: string | null;
}

/** A page of projects, newest first. */
export interface ProjectPage {
  /** on this page */
  count: number;
  /** on all pages */
  total: number;
  page: number;
  page_size: number;
  projects: Array<Project>;
}

/** Who the socket is, and what is being written. */
export interface Ready {
  user: User;
  active: Array<Writing>;
  /** Seconds until the access token ends */
  expires_in: number;
}

/** A new account. */
export interface Registration {
  name: string;
  email: string;
  /** 8 to 72 bytes of UTF-8, not common */
  password: string;
}

/** The socket lives on with the new access token. */
export interface Renewed {
  /** Seconds until the access token ends */
  expires_in: number;
}

/** The last event of a reply that is complete or stopped. */
export interface ReplyEnded {
  type: "response";
  chat_id: number;
  content: ReplyResult | ReviewResult | ExplanationResult;
  chat: Chat;
}

/** The last event of a reply that failed or was interrupted; the text so far is in its chat. */
export interface ReplyFailed {
  type: "error";
  chat_id: number;
  /** A word for machines */
  code: string;
  /** A sentence for a person */
  content: string;
  /** Whether to ask the same again may help */
  retryable: boolean;
  chat: Chat;
}

/** An answer in prose. */
export interface ReplyResult {
  kind: "reply";
  /** Markdown */
  reply: string;
}

/** Which reply, and after which of its deltas, is to go on. */
export interface Resume {
  chat_id: number;
  after_seq: number;
}

/** A review of a pull request on GitHub. */
export interface Review {
  id: number;
  /** owner/name */
  repository: string;
  /** of the pull request */
  number: number;
  title: string;
  url: string;
  author: string;
  /** the commit that was read */
  head_sha: string;
  status: "running" | "complete" | "failed" | "superseded";
  summary: string;
  findings: Array<Finding>;
  /** 1-10 */
  quality_score: number | null;
  security_risk: "None" | "Low" | "High" | null;
  /** what was not read, and why */
  unread: Array<string>;
  created_at: string;
  completed_at: string | null;
}

/** A review of a repository that one of your projects names has begun or ended. */
export interface ReviewEvent {
  type: "review";
  project_id: number;
  review: Review;
}

/** A review: what was found, and what it comes to. */
export interface ReviewResult {
  kind: "review";
  summary: string;
  findings: Array<Finding>;
  quality_score: number;
  /** A string, `None` too */
  security_risk: "None" | "Low" | "High";
}

/** Fresh tokens for a session. */
export interface Rotation {
  access_token: string;
  refresh_token: string;
  token_type: string;
  expires_in: number;
}

/** Who answers, and why. */
export interface Routing {
  target_agent: string;
  confidence: number;
  reasoning: string;
}

/** A signed-in device. */
export interface Session {
  id: number;
  created_at: string;
  last_used_at: string;
  user_agent: string;
  ip: string;
  current: boolean;
}

/** The session has ended; the connection is closed next. */
export type SessionExpired = Record<string, never>;

/** The session ends soon: fetch a new access token and send `authenticate`. */
export interface SessionExpiring {
  /** Seconds until the access token ends */
  expires_in: number;
}

/** The user's signed-in devices, the one used last first. */
export interface Sessions {
  sessions: Array<Session>;
  count: number;
}

/** The first tokens of a session, and whose it is. */
export interface SignIn {
  access_token: string;
  refresh_token: string;
  token_type: string;
  expires_in: number;
  user: User;
}

/** How far a reply is. */
export interface Status {
  type: "status";
  chat_id: number;
  conversation_id: number;
  content: "thinking" | "streaming";
  /** Who answers */
  agent: string | null;
  routing: Routing | null;
  /** How many old chats of the conversation were too much for the model; absent for none */
  left_out?: number;
}

/** Which reply is to end. */
export interface Stop {
  chat_id: number;
}

/** The reply has ended, with the text so far. */
export interface Stopped {
  chat: Chat;
}

/** The message is stored; its reply follows in events. */
export interface Stored {
  chat: Chat;
}

/** The access token that a socket lives on with. */
export interface Token {
  token: string;
}

/** A user, as anybody who may see it sees it. */
export interface User {
  id: number;
  name: string;
  email: string;
  is_active: boolean;
  language: "en" | "hi" | "hinglish";
  created_at: string;
  updated_at: string;
}

/** A reply that is being written, or waits its turn. */
export interface Writing {
  chat_id: number;
  /** Of the last delta that was sent; 0: none yet */
  seq: number;
}

/** For `Socket<ServerToClientEvents, ClientToServerEvents>` of socket.io-client. */
export interface ServerToClientEvents {
  /** After every connect. */
  ready: (payload: Ready) => void;
  /** A reply has been given to somebody, or its first words come. */
  status: (payload: Status) => void;
  /** The next words of a reply. */
  delta: (payload: Delta) => void;
  /** A reply is complete or was stopped: once, last. */
  response: (payload: ReplyEnded) => void;
  /** A reply failed or was interrupted: once, last; or a payload was refused. */
  error: (payload: ReplyFailed | PayloadRefused) => void;
  /** 60 seconds ahead, or at once where fewer are left. */
  session_expiring: (payload: SessionExpiring) => void;
  /** Just before the connection is closed. */
  session_expired: (payload: SessionExpired) => void;
  /** A review of a repository that one of your projects names has begun or ended. */
  review: (payload: ReviewEvent) => void;
}

export interface ClientToServerEvents {
  /** Ask. A repeated client_message_id gives the first chat again. */
  message: (payload: Message, acknowledge: (answer: Envelope<Stored>) => void) => void;
  /** End a reply; its text so far is kept. */
  stop: (payload: Stop, acknowledge: (answer: Envelope<Stopped>) => void) => void;
  /** Fetch what was missed of a reply. */
  resume: (payload: Resume, acknowledge: (answer: Envelope<Missed>) => void) => void;
  /** Let the socket live on with a new access token. */
  authenticate: (payload: Token, acknowledge: (answer: Envelope<Renewed>) => void) => void;
}
