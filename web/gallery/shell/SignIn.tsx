import { Anchor, Button, PasswordInput, Stack, Text } from "@mantine/core";
import { type SubmitEvent, useState } from "react";

const openID = document.querySelector<HTMLMetaElement>('meta[name="openid"]')?.content === "true";

interface Props {
  /** Somebody was signed in before, whose page is still open. */
  again: boolean;
  onSignedIn(): void;
}

/** Signs in at the OpenID provider, where there is one, or with an API key. Either way one stays where one was. */
export function SignIn({ again, onSignedIn }: Props) {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [complaint, setComplaint] = useState<string | null>(null);
  const returnTo = location.pathname + location.search;

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const pasted = key.trim();
    if (!pasted) return setComplaint("Paste an API key first.");
    if (!/^[\x21-\x7e]+$/.test(pasted)) return setComplaint("An API key has no spaces or special letters: was something else pasted?");
    setBusy(true);
    const refusal = await exchange(pasted);
    setBusy(false);
    setComplaint(refusal);
    if (refusal !== null) return;
    setKey("");
    onSignedIn();
  }

  return (
    <Stack>
      {openID && (
        // Beside an open page in another tab, from which this one notices.
        <Button component="a" href={`/sign-in?returnTo=${encodeURIComponent(returnTo)}`} {...(again ? { target: "_blank" } : {})}>
          Sign in
        </Button>
      )}
      <form onSubmit={(event) => void submit(event)} noValidate autoComplete="off">
        <Stack gap="sm">
          <PasswordInput
            label={openID ? "Or with an API key" : "API key"}
            placeholder="pb_…"
            description="Exchanged for a session of at most 12 hours, and not kept."
            value={key}
            onChange={(event) => setKey(event.currentTarget.value)}
            error={complaint}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            data-1p-ignore
            data-lpignore="true"
          />
          <Button type="submit" variant={openID ? "default" : "filled"} loading={busy}>
            Sign in with the key
          </Button>
        </Stack>
      </form>
      {!openID && (
        <Text size="sm" c="dimmed">
          Started with <code>make run</code>? Open the link that the server printed: it signs this browser in, once. Elsewhere,{" "}
          <code>patchbay apikey create</code> makes a key.
        </Text>
      )}
      <Text size="sm">
        <Anchor href="/graphiql">GraphiQL</Anchor>
      </Text>
    </Stack>
  );
}

/** Has the server set a session's cookie for a key. Returns why it does not. */
async function exchange(key: string): Promise<string | null> {
  const headers = { Authorization: `Bearer ${key}` };
  const answer = await fetch("/sign-in", { method: "POST", headers, credentials: "same-origin", cache: "no-store", redirect: "error" }).catch(() => null);
  if (answer?.ok) return null;
  switch (answer?.status) {
    case undefined:
      return "The server cannot be reached. Try again.";
    case 401:
      return "This key is mistyped, revoked or expired.";
    case 429:
      return "Too many wrong keys came from your network. Wait a minute, and try again.";
    default:
      return "The server could not sign you in. Try again, or ask who runs it: its log says why.";
  }
}
