import { Button } from "@mantine/core";
import { AlertIcon, CheckIcon } from "../kit/icons";
import classes from "./connect.module.css";
import { outcome } from "./outcome";
import type { Configuration } from "./useConfiguration";
import type { Test } from "./useTest";

/** Tries the credentials as they stand in the form, saved or not, and says what came of it. */
export function TestConnection({ form, test: { test, testing, result } }: { form: Configuration; test: Test }) {
  const needed = form.lacking.filter(({ section }) => section === "credentials");
  return (
    <div className={classes.test}>
      <Button variant="default" size="xs" onClick={() => void test()} loading={testing} disabled={needed.length > 0}>
        Test connection
      </Button>
      <div role="status" className={classes.result} data-tone={result ? (result.ok ? "good" : "bad") : undefined}>
        {testing ? (
          `Asking ${form.provider.displayName}…`
        ) : result ? (
          <>
            {result.ok ? <CheckIcon size={14} /> : <AlertIcon size={14} />}
            <span>{outcome(result)}</span>
          </>
        ) : null}
      </div>
    </div>
  );
}
