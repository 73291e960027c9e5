import { Alert, Button, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Trouble } from "../errors";
import { AlertIcon } from "./icons";

interface Props {
  what: string;
  trouble: Trouble;
  retry?: () => void;
  /** What else may help. */
  children?: ReactNode;
}

/** What went wrong, why, and another try. */
export function Problem({ what, trouble, retry, children }: Props) {
  const forbidden = trouble.code === "FORBIDDEN";
  return (
    <Alert role="alert" icon={<AlertIcon />} color={forbidden ? "yellow" : "red"} title={forbidden ? "Your role does not allow this" : what}>
      <Stack gap="sm" align="start">
        <Text size="sm">{trouble.message}</Text>
        {retry && !forbidden && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
        {children}
      </Stack>
    </Alert>
  );
}
