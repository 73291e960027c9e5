import { setNonce } from "get-nonce";

/** Of this page's style elements: without it the content security policy refuses them. */
export const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";

setNonce(nonce); // for react-remove-scroll, which dialogs stand on
