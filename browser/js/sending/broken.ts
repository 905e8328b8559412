// The edge was not reached, or something between answered in its place.

/** Nobody refused anything: the same request may work later. `status` is 0 when there was no answer at all. */
export class ConnectionBroken extends Error {
  readonly status: number;

  constructor(status = 0) {
    super(status === 0 ? "The connection broke." : `Something between answered ${status}.`);
    this.name = "ConnectionBroken";
    this.status = status;
  }
}
