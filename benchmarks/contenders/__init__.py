"""One script a contender and step, which runs alone, in its own environment, with the job as JSON in its only argument;
and what several of them share.
"""
