"""AnoGAN (Schlegl et al. 2017, arXiv 1703.05921), to be read from top to bottom in this order.

1. `networks`: the generator G, the discriminator D, and f, a feature layer of D.
2. `dcgan`: two losses, two training steps, one loop. G and D learn what normal images look like.
3. `prior`: how a latent vector z is drawn, and how a search is kept where G was trained.
4. `score`: how badly G(z) explains an image x is the anomaly score A(x); the residual shows where.
5. `search`: an image x is mapped back to the z whose G(z) explains it best, by gradient descent on z.

Images x are (N, H, W, C) float32 in [-1, 1], z is (N, L), f(x) is (N, h, w, channels). The residual loss R, the
discrimination loss D and the anomaly score A are (N,); the letter D alone is the network.

What differs from the paper: z lies on a sphere, where the paper draws it from a cube; D uses layer normalisation and
sees shifted images; G is a moving average; and the search takes 100 larger steps where the paper takes 500, which
`search.PAPER` holds.
"""
