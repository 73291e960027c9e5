import { Title } from "@mantine/core";

export default function IntegrationPage(_: { id: string; tab: string }) {
  return <Title order={1}>Integration</Title>;
}
