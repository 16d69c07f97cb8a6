"""Training: from setups to trained nets and what they learnt."""
