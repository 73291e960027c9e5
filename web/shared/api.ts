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
  let response: Response;
  try {
    response = await fetch("/graphql", {
      method: "POST",
      headers: {
        Accept: "application/graphql-response+json, application/json;q=0.9",
        "Content-Type": "application/json",
        ...(apiKey === null ? {} : { Authorization: `Bearer ${apiKey}` }),
        ...headers,
      },
      body: JSON.stringify(operation),
      credentials: apiKey === null ? "same-origin" : "omit",
      cache: "no-store",
      redirect: "error",
    });
  } catch {
    throw new Error("The server cannot be reached.");
  }
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
