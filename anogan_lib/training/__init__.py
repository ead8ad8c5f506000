"""What training needs beside the paper: augmentation of images, and checkpoints of an unfinished training."""
