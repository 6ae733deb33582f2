// Names that nobody else has.

/** 128 random bits as hex. (`randomUUID` wants a secure context, which an address in a hall's network is not.) */
export function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
