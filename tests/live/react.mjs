// As much of React as the hook of docs/frontend.md asks of it. It renders late, as a busy page does: what is told
// between two renders is reduced at the next.
const LATE = 60; // Milliseconds.
const slots = [];
let next, component, waiting;

const slot = (make) => (slots[next++] ??= make());
const later = () => (waiting ??= setTimeout(render, LATE));

function render() {
  [waiting, next] = [undefined, 0];
  component();
}

export function useReducer(reduce, first) {
  const one = slot(() => ({ state: first, told: [] }));
  one.tell ??= (action) => one.told.push(action) && later();
  for (const action of one.told.splice(0)) one.state = reduce(one.state, action);
  return [one.state, one.tell];
}

export const useRef = (current) => slot(() => ({ current }));

export function useEffect(effect, of) {
  const one = slot(() => ({}));
  if (of.some((value, at) => value !== one.of?.[at])) setTimeout(effect);
  one.of = of;
}

export function mount(one) {
  component = one;
  render();
}
