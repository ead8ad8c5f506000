"""Checkers of the notebooks' exercises, one file for each topic.

>>> from anogan_lib import exercises as ex
>>> ex.check_residual(my_residual)   # prints one sentence: right, or a nudge; the second time, what is wrong
>>> ex.near_duplicates()             # the data that a question is about
>>> ex.solution("residual")          # prints a solution
>>> ex.progress()                    # prints what is solved, in all notebooks of this folder
"""

# ruff: noqa: F401 - all of this is for notebooks

from anogan_lib import DCGAN  # the first import of TensorFlow, without its notes
from anogan_lib.exercises import capstone as _capstone
from anogan_lib.exercises.better_score import ladder_steps, places_table
from anogan_lib.exercises.check import EXERCISES, checkers, inputs, progress, solution
from anogan_lib.exercises.data_preparation import near_duplicates, smallest_defect
from anogan_lib.exercises.dcgan_training import checkpoints, generators
from anogan_lib.exercises.encoder import search_budget
from anogan_lib.exercises.inverse_mapping import traces
from anogan_lib.exercises.own_images import own_report
from anogan_lib.exercises.scores import costs, leaky_program
from anogan_lib.exercises.visualization import false_alarm

# One for each exercise, in the order of its file; written out, so that an editor can complete them.
(
    check_scale, check_unscale, check_near_duplicate, check_resolution, check_grouped_split, check_twins,
) = checkers("data_preparation")  # fmt: skip
(
    check_discriminator_loss, check_generator_loss, check_parameters, check_collapsed, check_checkpoint,
) = checkers("dcgan_training")  # fmt: skip
(
    check_residual, check_discrimination, check_onto_sphere, check_search_step, check_search, check_buggy_trace,
    check_shortest_z,
) = checkers("inverse_mapping")  # fmt: skip
(
    check_score, check_threshold, check_auroc, check_leak, check_cheapest, check_poison, check_alarms,
) = checkers("scores")  # fmt: skip
(
    check_levels, check_pixel_auroc, check_explained, check_colours, check_bright_pixels,
) = checkers("visualization")  # fmt: skip
(
    check_top_mean, check_without_contrast, check_drowned, check_choose_places, check_chance_step,
) = checkers("better_score")  # fmt: skip
check_izi_f_loss, check_learns, check_steps_for_budget, check_upside_down = checkers("encoder")
check_own_report = own_report.check
check_networks, check_training_step, check_mapping, check_capstone = checkers("capstone")
