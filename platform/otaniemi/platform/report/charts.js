// All charts of a page.
page.start(() => {
  for (const [name, figure] of Object.entries(page.carried.figures)) page.draw(name, figure);
});
