"""The catalogue: one YAML file per accelerator, node, model, link, site, price book, engine or profile."""
