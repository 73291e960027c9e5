import { Title } from "@mantine/core";

export default function AdministrationPage(_: { section: string }) {
  return <Title order={1}>Administration</Title>;
}
