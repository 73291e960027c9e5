import { type SubmitEvent, useId, useRef, useState } from "react";
import type { Session, Status } from "../shared/session";

/** The top of the page: who one is, and the field for an API key. */
export function AccountBar({ session }: { session: Session }) {
  const { apiKey, status, useKey } = session;
  const field = useRef<HTMLInputElement>(null);
  const [complaint, setComplaint] = useState<string | null>(null);
  const id = useId();

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const input = field.current;
    const key = input?.value.trim();
    if (!input || !key) {
      setComplaint("Paste an API key first.");
      input?.focus();
    } else if (!/^[\x21-\x7e]+$/.test(key)) {
      setComplaint("An API key has no spaces or special letters: was something else pasted?");
      input.focus();
    } else {
      setComplaint(null);
      input.value = "";
      useKey(key);
    }
  }

  function forget() {
    setComplaint(null);
    if (field.current) field.current.value = "";
    useKey(null);
    field.current?.focus();
  }

  // A form would not do: without a referrer its Origin is null, which the server takes for another site's.
  async function signOut() {
    const answer = await fetch("/sign-out", { method: "POST", redirect: "manual", cache: "no-store" }).catch(() => null);
    if (answer?.type === "opaqueredirect") location.reload();
    else setComplaint("Signing out failed, and the session goes on. Try again.");
  }

  return (
    <header className="account">
      <h1>
        Patchbay <span>GraphiQL</span>
      </h1>
      <p className={`who ${status.state}`} role="status">
        <Who status={status} />
      </p>
      {status.state === "signed-in" && apiKey === null && (
        <button type="button" className="out" onClick={() => void signOut()}>
          Sign out
        </button>
      )}
      <form className="key" onSubmit={submit} noValidate autoComplete="off">
        <label htmlFor={`${id}key`}>API key</label>
        <input
          ref={field}
          id={`${id}key`}
          type="password"
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          data-1p-ignore
          data-lpignore="true"
          placeholder={hint(apiKey, status)}
          aria-invalid={complaint !== null}
          aria-describedby={`${id}note`}
        />
        <button type="submit">Use</button>
        <button type="button" onClick={forget} disabled={apiKey === null}>
          Forget
        </button>
        <span id={`${id}note`} className={complaint === null ? "hidden" : "complaint"} role={complaint === null ? undefined : "alert"}>
          {complaint ?? "Kept in this page's memory only, and sent with each request."}
        </span>
      </form>
    </header>
  );
}

function hint(apiKey: string | null, status: Status): string {
  if (apiKey === null) return "pb_…";
  return status.state === "key-refused" ? "paste another one" : "in use";
}

function Who({ status }: { status: Status }) {
  switch (status.state) {
    case "checking":
      return "Asking the server who you are…";
    case "signed-in": {
      const { subject, orgId, role } = status.viewer;
      return (
        <>
          Signed in as <strong>{subject}</strong> ({orgId === null ? role : `${role} of ${orgId}`})
        </>
      );
    }
    case "signed-out":
      return (
        <>
          <strong>Not signed in:</strong> <a href="/sign-in?returnTo=/graphiql">sign in</a>, open the link that the server printed,
          or paste an API key. The schema is hidden until then.
        </>
      );
    case "key-refused":
      return (
        <>
          <strong>API key refused:</strong> it is mistyped, revoked or expired. Paste another one, or forget it.
        </>
      );
    case "failed":
      return (
        <>
          <strong>Cannot tell who you are.</strong> {status.reason}
        </>
      );
  }
}
