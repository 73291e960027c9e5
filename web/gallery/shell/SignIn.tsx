import { Anchor, Button, PasswordInput, Stack, Text } from "@mantine/core";
import { type SubmitEvent, useState } from "react";

const openID = document.querySelector<HTMLMetaElement>('meta[name="openid"]')?.content === "true";

interface Props {
  /** The key that was tried last is not a good one. */
  refused: boolean;
  /** Somebody was signed in before, whose page is still open. */
  again: boolean;
  onKey(key: string): void;
}

/** Signs in at the OpenID provider, where there is one, or with an API key. Either way one stays where one was. */
export function SignIn({ refused, again, onKey }: Props) {
  const [key, setKey] = useState("");
  const [complaint, setComplaint] = useState<string | null>(null);
  const returnTo = location.pathname + location.search;

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const pasted = key.trim();
    if (!pasted) setComplaint("Paste an API key first.");
    else if (!/^[\x21-\x7e]+$/.test(pasted)) setComplaint("An API key has no spaces or special letters: was something else pasted?");
    else {
      setComplaint(null);
      setKey("");
      onKey(pasted);
    }
  }

  return (
    <Stack>
      {openID && (
        // Beside an open page in another tab, from which this one notices.
        <Button component="a" href={`/sign-in?returnTo=${encodeURIComponent(returnTo)}`} {...(again ? { target: "_blank" } : {})}>
          Sign in
        </Button>
      )}
      <form onSubmit={submit} noValidate autoComplete="off">
        <Stack gap="sm">
          <PasswordInput
            label={openID ? "Or with an API key" : "API key"}
            placeholder="pb_…"
            description="Kept in this page's memory only, and gone when it is reloaded."
            value={key}
            onChange={(event) => setKey(event.currentTarget.value)}
            error={complaint ?? (refused ? "This key is mistyped, revoked or expired." : null)}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            data-1p-ignore
            data-lpignore="true"
          />
          <Button type="submit" variant={openID ? "default" : "filled"}>
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
