"""Work that runs by itself: a queue of jobs in the database, and the workers that take jobs from it."""
