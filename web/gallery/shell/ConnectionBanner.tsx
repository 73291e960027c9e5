import { useDebouncedValue } from "@mantine/hooks";
import { useEffect } from "react";
import { useClient } from "urql";
import { useConnection } from "../connection";
import { graphql } from "../graphql";
import classes from "./shell.module.css";

const Reach = graphql(`query Reach { viewer { subject } }`);

/** Says so while what is shown is not live, and looks whether the server is back. */
export function ConnectionBanner() {
  const client = useClient();
  const connection = useConnection();
  const [lasting] = useDebouncedValue(connection, 1_500); // what mends itself at once is not worth a word

  useEffect(() => {
    if (connection !== "offline") return;
    const timer = setInterval(() => void client.query(Reach, {}, { requestPolicy: "network-only" }).toPromise(), 3_000);
    return () => clearInterval(timer);
  }, [client, connection]);

  return (
    <div role="status">
      {lasting !== "live" && connection !== "live" && (
        <div className={classes.banner}>
          {connection === "offline"
            ? "The server cannot be reached. What you see may be out of date; trying again…"
            : "Live updates are interrupted. Looking for changes every few seconds instead."}
        </div>
      )}
    </div>
  );
}
