// The API as this origin's pages call it.

/** What a GraphQL server answers. */
export interface Answer<Data = Record<string, unknown>> {
  data?: Data | null;
  errors?: readonly AnswerError[];
}

export interface AnswerError {
  message: string;
  extensions?: { code?: string; [name: string]: unknown };
}

export interface Operation {
  query: string;
  operationName?: string | null | undefined;
  variables?: unknown;
}

/**
 * Sends one operation: as the API key if there is one, else as the browser's session.
 * A key is sent without cookies, so that an answer has one possible identity.
 * Throws only when the server cannot be reached.
 */
export async function send<Data = Record<string, unknown>>(
  operation: Operation,
  apiKey: string | null,
  headers: Record<string, string> = {},
): Promise<Answer<Data>> {
  return read(await post(operation, apiKey, headers, "application/graphql-response+json, application/json;q=0.9"));
}

/** What becomes of a subscription: answers, and in the end either an error or its completion. */
export interface Subscriber {
  next(answer: Answer): void;
  error(error: Error): void;
  complete(): void;
}

/** Sends one subscription as send does, as a stream of server-sent events, and returns how to end it. */
export function subscribe(
  operation: Operation,
  apiKey: string | null,
  headers: Record<string, string>,
  subscriber: Subscriber,
): () => void {
  const ending = new AbortController();
  follow().catch((error: unknown) => {
    if (!ending.signal.aborted) subscriber.error(error instanceof Error ? error : new Error(String(error)));
  });
  return () => ending.abort();

  async function follow() {
    const response = await post(operation, apiKey, headers, "text/event-stream", ending.signal);
    if (!response.body || !response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      subscriber.next(await read(response));
      subscriber.complete();
      return;
    }
    const texts = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { done, value } = await texts.read().catch(() => ({ done: true, value: undefined }));
      if (ending.signal.aborted) return;
      if (done) throw new Error("The server ended the subscription before it was complete.");
      const events = (rest + value).split("\n\n");
      rest = events.pop() ?? "";
      for (const event of events) {
        const data = /^data: (.+)$/m.exec(event)?.[1];
        if (/^event: next$/m.test(event) && data) subscriber.next(JSON.parse(data) as Answer);
        if (/^event: complete$/m.test(event)) {
          subscriber.complete();
          return;
        }
      }
    }
  }
}

async function post(
  operation: Operation,
  apiKey: string | null,
  headers: Record<string, string>,
  accept: string,
  signal: AbortSignal | null = null,
): Promise<Response> {
  try {
    return await fetch("/graphql", {
      method: "POST",
      headers: {
        Accept: accept,
        "Content-Type": "application/json",
        ...(apiKey === null ? {} : { Authorization: `Bearer ${apiKey}` }),
        ...headers,
      },
      body: JSON.stringify(operation),
      credentials: apiKey === null ? "same-origin" : "omit",
      cache: "no-store",
      redirect: "error",
      signal,
    });
  } catch {
    throw new Error("The server cannot be reached.");
  }
}

async function read<Data>(response: Response): Promise<Answer<Data>> {
  const text = await response.text();
  try {
    const answer: unknown = JSON.parse(text);
    if (isAnswer(answer)) return answer as Answer<Data>;
  } catch {
    // Not JSON: a proxy's page, for example.
  }
  const code = response.status === 401 ? { extensions: { code: "UNAUTHENTICATED" } } : {};
  const status = `${response.status} ${response.statusText}`.trim();
  return { errors: [{ message: `The server answered ${status}, and not with GraphQL.`, ...code }] };
}

function isAnswer(value: unknown): value is Answer {
  return typeof value === "object" && value !== null && ("data" in value || "errors" in value);
}
