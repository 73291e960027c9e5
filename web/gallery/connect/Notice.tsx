import { Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { AlertIcon } from "../kit/icons";
import classes from "./connect.module.css";

/** Something to look at before going on. */
export function Notice({ title, icon = <AlertIcon />, role, children }: { title: ReactNode; icon?: ReactNode; role: "alert" | "status"; children: ReactNode }) {
  return (
    <div className={classes.notice} role={role}>
      {icon}
      <Stack gap="xs" align="start" className={classes.grow ?? ""}>
        <Text size="sm" fw={600} c="var(--tone-warn)">
          {title}
        </Text>
        {children}
      </Stack>
    </div>
  );
}
