// Cards that are links. A click stays in the visit, so that pins and guesses are kept; a click that asks for a new tab,
// or a copied address, opens the same experiment as a link does.
function element(tag, attributes, parent) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return parent.appendChild(node);
}

function makeCard(list, card) {
  const link = element("a", { href: card.href, "data-key": card.key }, element("li", {}, list));
  const picture = element("span", { class: "picture" }, link), words = element("span", { class: "words" }, link);
  element("span", { class: "name", id: `zz-name-${card.key}` }, words).textContent = card.name;
  element("span", { class: "look" }, words).textContent = card.look;
  const measured = element("span", { class: "measured" }, words);
  return { link, picture, measured };
}

function fold(root, [title, paragraphs]) {
  const details = element("details", {}, root);
  element("summary", {}, details).textContent = title;
  for (const paragraph of paragraphs) element("p", {}, details).textContent = paragraph;
}

function build(root, { groups, prose }) {
  root.zzCards = new Map();
  root.replaceChildren();
  for (const group of groups) {
    const section = element("section", {}, root);
    element("h2", {}, section).textContent = group.title;
    const list = element("ul", {}, section);
    for (const card of group.cards) root.zzCards.set(card.key, makeCard(list, card));
  }
  for (const section of prose) fold(root, section);
}

export default function ({ data: bytes, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".zz-gallery"), data = JSON.parse(new TextDecoder().decode(bytes));
  if (!root.zzCards) build(root, data);
  let missing = 0;
  for (const card of data.groups.flatMap(group => group.cards)) {
    const { link, picture, measured } = root.zzCards.get(card.key);
    if (card.svg === null) { missing++; measured.textContent = "Running it …"; }
    else if (!picture.firstChild) { picture.innerHTML = card.svg; measured.textContent = card.measured; }
    link.onclick = event => {
      if (!data.within || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      root.zzLeaving = true;  // asking for more pictures now would bring the old address back
      setTriggerValue("open", card.key);
    };
  }
  root.dataset.missing = missing;
  // the server makes a few pictures at a time, so that the page stands before the last one is drawn
  const timer = missing && !root.zzLeaving ? setTimeout(() => root.zzLeaving || setTriggerValue("more", missing), 0) : null;
  return () => clearTimeout(timer);
}
