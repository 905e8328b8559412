// Locks between the tabs of one origin, so that two of them do not send the same picture. Without Web Locks
// (browsers from before 2022) each tab goes on alone, and the edge knows the same bytes again.

const named = (name: string) => `the-form-images:${name}`;

/** Runs `act` while no other tab holds the lock; waits for it. */
export async function holding<T>(name: string, act: () => Promise<T>): Promise<T> {
  return navigator.locks ? ((await navigator.locks.request(named(name), act)) as T) : act();
}

/** Takes a lock, however long that takes, and answers with what gives it back. It ends with the tab, too. */
export function take(name: string): Promise<() => void> {
  return new Promise((taken, failed) => {
    holding(name, () => new Promise<void>((release) => taken(release))).catch(failed);
  });
}

/** The same, if nobody holds it now. */
export function takeIfFree(name: string): Promise<(() => void) | undefined> {
  if (!navigator.locks) return Promise.resolve(() => {});
  return new Promise((taken, failed) => {
    const hold = (lock: Lock | null) => {
      if (lock) return new Promise<void>((release) => taken(release));
      taken(undefined);
      return undefined;
    };
    navigator.locks.request(named(name), { ifAvailable: true }, hold).catch(failed);
  });
}
