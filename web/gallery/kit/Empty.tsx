import { Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

/** A place that has nothing yet: what would be here, and what to do. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" py="xl" ta="center">
      <Title order={2} size="h4">
        {title}
      </Title>
      {typeof children === "string" ? <Text c="dimmed">{children}</Text> : children}
    </Stack>
  );
}
