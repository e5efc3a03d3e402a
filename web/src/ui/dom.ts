/** Elements of `index.html` by their ids, and new ones. */

/** The element with this id; its absence is a fault of the page itself. */
export function byId<E extends HTMLElement>(id: string, type: abstract new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}

/** A new element with a class and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

/** Runs `action` with the form's submit button disabled, so that nothing is asked twice. */
export function onSubmit(form: HTMLFormElement, action: () => Promise<void>): void {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const button = form.querySelector('button[type=submit]');
    void busy(button instanceof HTMLButtonElement ? button : null, action);
  });
}

/** As [onSubmit], of a button. */
export function onClick(button: HTMLButtonElement, action: () => Promise<void>): void {
  button.addEventListener('click', () => void busy(button, action));
}

async function busy(button: HTMLButtonElement | null, action: () => Promise<void>): Promise<void> {
  if (button?.disabled) return;
  if (button) button.disabled = true;
  button?.setAttribute('aria-busy', 'true');
  try {
    await action();
  } finally {
    if (button) button.disabled = false;
    button?.removeAttribute('aria-busy');
  }
}
