import { Alert, Button, Stack, Text } from "@mantine/core";
import type { Trouble } from "../errors";
import { AlertIcon } from "./icons";

/** What went wrong, why, and another try. */
export function Problem({ what, trouble, retry }: { what: string; trouble: Trouble; retry?: () => void }) {
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
      </Stack>
    </Alert>
  );
}
