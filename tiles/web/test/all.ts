// Every journey, in one process: one browser for all of them.
import "./carte.test";
import "./fiche.test";
import "./table.test";
import "./pages.test";
import "./dessin.test";
import "./acces.test";
import "./reseau.test";
import "./site.test";
