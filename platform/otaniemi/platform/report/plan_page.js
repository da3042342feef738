// The plan of a home: all of its charts.
page.start(() => {
  for (const [name, figure] of Object.entries(page.carried.figures)) page.draw(name, figure);
});
