"""What training needs beside the paper: settings, augmentation, checkpoints, several devices, and networks in files."""
