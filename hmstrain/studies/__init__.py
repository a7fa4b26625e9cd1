"""A store -> several runs as one work, each in a folder of its own, and what they came to.

::

    recipes/        the package's recipes, a TOML file each
    recipe_file.py  a name or a TOML file -> a recipe
    answer.py       finished members of a recipe -> one answer, and what each part is worth
    recipe_page.py  members and their answer -> one page, and JSON
    run_recipe.py   a recipe and a store -> its members trained, one answer: `hmstrain.recipe`
    factors.toml    what ablations change
    made.py         a base -> the pretraining and the generator that rows build upon
    factors.py      a base, that list and the user's words -> the rows of an ablation
    ablation_table.py  rows and their comparison -> a table and a figure, in five files
    ablate.py       a base and factors -> runs of each alone, compared: `hmstrain.ablate`
    study_table.py  systems and what their runs came to -> one table, in five files
    study.py        systems and a store -> their runs compared: `hmstrain.study`
"""
