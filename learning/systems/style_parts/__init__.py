"""What the systems that read styles from example photos share: embeddings, transformer, enhancer, training steps.

Source: S. Kosugi, T. Yamasaki (2024), Personalized Image Enhancement Featuring Masked Style
Modeling, IEEE TCSVT; H.-U. Kim, Y. J. Koh, C.-S. Kim (2020), PieNet, ECCV.
"""
