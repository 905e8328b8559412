// The part of React and Vue that the package uses, for its own build: the package needs neither, and pages bring theirs with its types.
declare module "react" {
  export type ReactNode = unknown;
  export interface CSSProperties {
    [property: string]: unknown;
  }
  export type FocusEventHandler<T> = (event: { readonly currentTarget: T }) => void;
  export interface RefAttributes<T> {
    readonly ref?: Ref<T> | undefined;
  }
  export type Ref<T> = ((instance: T | null) => void) | { current: T | null } | null;
  export interface ForwardRefExoticComponent<Props> {
    (props: Props): ReactNode;
    displayName?: string;
  }
  export function createElement(type: string, props: object, ...children: ReactNode[]): ReactNode;
  export function forwardRef<T, Props>(render: (props: Props, ref: Ref<T>) => ReactNode): ForwardRefExoticComponent<Props & RefAttributes<T>>;
  export function useEffect(effect: () => void | (() => void), deps?: readonly unknown[]): void;
  export const useLayoutEffect: typeof useEffect;
  export function useImperativeHandle<T>(ref: Ref<T>, create: () => T, deps?: readonly unknown[]): void;
  export function useMemo<T>(create: () => T, deps: readonly unknown[]): T;
  export function useRef<T>(initial: T): { current: T };
  export function useState<T>(initial: T | (() => T)): [T, (next: T) => void];
  export function useSyncExternalStore<T>(subscribe: (changed: () => void) => () => void, snapshot: () => T, serverSnapshot: () => T): T;
}

declare module "vue" {
  export interface ShallowRef<T> {
    value: T;
  }
  export interface ComputedRef<T> {
    readonly value: T;
  }
  export type MaybeRefOrGetter<T> = T | { readonly value: T } | (() => T);
  export type PublicProps = object;
  export type HTMLAttributes = object;
  interface SetupContext {
    emit(event: string, ...args: unknown[]): void;
    expose(exposed: object): void;
    slots: Record<string, (() => unknown) | undefined>;
  }
  export function defineComponent<Props>(options: { name: string; props: object; emits: string[]; setup(props: Props, context: SetupContext): () => unknown }): unknown;
  export function h(type: string, props: object, children?: unknown): unknown;
  export function computed<T>(get: () => T): ComputedRef<T>;
  export function onBeforeUnmount(hook: () => void): void;
  export function onMounted(hook: () => void): void;
  export function onScopeDispose(hook: () => void): void;
  export function shallowRef<T>(initial: T): ShallowRef<T>;
  export function toValue<T>(source: MaybeRefOrGetter<T>): T;
  export function watch(source: () => unknown, changed: () => void, options?: { flush: "post" }): void;
}

declare module "*.svelte" {
  const component: unknown;
  export default component;
}
