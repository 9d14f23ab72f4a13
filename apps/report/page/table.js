// A table that sorts by its headers, and whose rows open.

// columns: {title, text (is it one?), value(row), show(value, row)}; `sorted`: the column at first, descending.
// `detail(row)`: what stands below an opened row. Returns show(rows).
function sortableTable(place, caption, columns, sorted, detail) {
  const step = 100;
  let rows = [], by = sorted, ascending = false, shown = step;

  const heads = columns.map((column, i) => {
    const button = element('button', {type: 'button', className: 'plain'}, column.title);
    button.addEventListener('click', () => {
      ascending = by === i ? !ascending : !!column.text;
      by = i;
      fill();
    });
    return element('th', {scope: 'col', className: column.text ? 'text' : ''}, button);
  });
  const body = element('tbody');
  const more = element('button', {type: 'button'});
  more.addEventListener('click', () => {
    shown += 10 * step;
    fill();
  });
  place.append(
    element('div', {className: 'scroll', tabIndex: 0, role: 'region', 'aria-label': caption},
            element('table', {}, element('caption', {hidden: true}, caption),
                    element('thead', {}, element('tr', {}, ...heads)), body)),
    more);

  // Rows without the value stand last in either order.
  const compare = (a, b) => {
    const [x, y] = [columns[by].value(a), columns[by].value(b)];
    if (!known(x) || !known(y)) return known(y) - known(x);
    const order = typeof x === 'string' ? x.localeCompare(y) : x - y;
    return ascending ? order : -order;
  };

  function line(row) {
    const cells = columns.map(column => element('td', {className: column.text ? 'text' : ''}, column.show(column.value(row), row)));
    const made = element('tr', {}, ...cells);
    const open = element('button', {type: 'button', className: 'plain id', 'aria-expanded': 'false', title: 'Show the network'},
                         ...cells[0].childNodes);
    cells[0].append(open);
    open.addEventListener('click', () => {
      const opened = open.getAttribute('aria-expanded') === 'true';
      open.setAttribute('aria-expanded', String(!opened));
      if (opened) made.nextSibling.remove();
      else made.after(element('tr', {className: 'detail'}, element('td', {colSpan: columns.length}, detail(row))));
    });
    return made;
  }

  function fill() {
    heads.forEach((head, i) => {
      if (i === by) head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
      else head.removeAttribute('aria-sort');
    });
    const ordered = [...rows].sort(compare);
    body.replaceChildren(...ordered.slice(0, shown).map(line));
    more.hidden = ordered.length <= shown;
    more.textContent = `Show ${Math.min(10 * step, ordered.length - shown)} more of ${ordered.length - shown}`;
  }

  return chosen => {
    rows = chosen;
    shown = step;
    fill();
  };
}
