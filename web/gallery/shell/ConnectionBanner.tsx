import { useDebouncedValue } from "@mantine/hooks";
import { useClient } from "urql";
import { useConnection, usePolling } from "../connection";
import { graphql } from "../graphql";
import classes from "./shell.module.css";

const Reach = graphql(`query Reach { viewer { subject } }`);

/** Says so while what is shown is not live, and looks whether the server is back. */
export function ConnectionBanner() {
  const client = useClient();
  const connection = useConnection();
  const [lasting] = useDebouncedValue(connection, 1_500); // what mends itself at once is not worth a word

  usePolling(() => void client.query(Reach, {}, { requestPolicy: "network-only" }).toPromise(), 3_000, connection === "offline");

  const fine = (state: typeof connection) => state === "live" || state === "signed-out"; // a form asks for the next session
  return (
    <div role="status">
      {!fine(lasting) && !fine(connection) && (
        <div className={classes.banner}>
          {connection === "offline"
            ? "The server cannot be reached. What you see may be out of date; trying again…"
            : "Live updates are interrupted. Looking for changes every few seconds instead."}
        </div>
      )}
    </div>
  );
}
