import { Modal, type ModalProps } from "@mantine/core";
import { ReturnFocus } from "./ReturnFocus";

/** A question over the page: open as long as it is there. */
export function Dialog(props: Omit<ModalProps, "opened">) {
  return (
    <ReturnFocus>
      <Modal opened centered {...props} />
    </ReturnFocus>
  );
}
