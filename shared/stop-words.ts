/** The languages this product tells apart; `fr` and `en` are its first ones. */
export const languages = ["fr", "en", "de", "es", "it", "pt", "nl"] as const;

/** A language of {@link languages}, as ISO 639-1. */
export type Language = (typeof languages)[number];

/**
 * Function words of each language, lower-case and without accents, as `fold` gives them.
 * They say which language a text is in, and nothing about what it is about.
 */
export const stopWords: Record<Language, readonly string[]> = {
  fr: list(`
    a afin ai aie ainsi alors apres as assez au aucun aucune aujourd auquel aura aurait aussi autre autres aux avaient
    avait avant avec avez aviez avons ayant beaucoup bien c car ce ceci cela celle celles celui cent ces cet cette
    ceux chaque chez ci combien comme comment contre d dans de dedans depuis des deux devez doit doivent dois donc
    dont du elle elles en encore entre es est et etaient etait etant ete etes etre eu eux faire faisait fait faites
    faut fois font hors hui ici il ils j je jusqu jusque l la laquelle le lequel les lesquelles lesquels leur leurs
    lors lorsqu lorsque lui m ma mais me meme memes mes moi moins mon n ne ni nos notre nous on ont ou par parce parmi
    pas pendant peu peut peuvent peux plus plusieurs plutot pour pourquoi pourra pourrait pouvez pouvoir pres puis
    puisque qu quand que quel quelle quelles quelque quelques quels qui quoi s sa sans sauf se selon sera serait seront
    ses si sinon soi soient soit sommes son sont sous suis sur t ta tandis tant te tel telle telles tels tes toi ton
    tous tout toute toutes tres tu un une va vers veut veux voici voila vos votre voudrais voulez vous vu y`),
  en: list(`
    a able about above after again against all almost along also although always am among an and another any anyone
    anything are aren as at be because been before being below between both but by can cannot could couldn d did
    didn do does doesn doing don done down during each either else ever every few for from further get gets getting
    had hadn has hasn have haven having he her here hers herself him himself his how however i if in into is isn it
    its itself just least less let ll m many may me might mine more most much must my myself near need neither never
    no nor not now of off on once one only onto or other others our ours out over own per please re really s same
    shall she should shouldn since so some something still such t than that the their theirs them themselves then
    there these they this those though through thus to together too toward towards under unless until up upon us ve
    very via was wasn we were weren what whatever when where whether which while who whom whose why will with within
    without won would wouldn yes yet you your yours yourself`),
  de: list(`
    aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bereits bin bis bist bitte
    da dabei dafur damit danach dann darf das dass dein deine dem den denn der deren des dessen die dies diese diesem
    diesen dieser dieses doch dort du durch durfen ein eine einem einen einer eines er es etwa etwas euch euer eure
    fur gegen gibt hab habe haben habt hat hatte hatten hier hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im
    immer in ins ist ja jede jedem jeden jeder jedes jetzt kann kannst kein keine keinem keinen keiner konnen konnte
    konnten mal man mehr mein meine meinem meinen meiner mich mir mit mochte muss mussen nach nicht nichts noch nun
    nur ob oder ohne sehr sein seine seinem seinen seiner seit sich sie sind so sobald sollte sollten sondern sowie
    sowohl uber um und uns unser unsere unter viel viele vom von vor wann war waren warum was weil welche welchem
    welchen welcher welches wem wen wenn wer werden wie wieder wieviel wir wird wo wohin worden wurde wurden zu zum
    zur zwischen`),
  es: list(`
    a al algo alguna algunas alguno algunos ante antes aquel aquella aun aunque cada casi como con contra cual cuales
    cuando cuanto cuantos cuanta cuantas de debe deben debo del desde despues donde dos durante e el ella ellas ellos
    en entonces entre era eran es esa esas ese eso esos esta estaba estaban estan estar estas este esto estos estoy
    fue fueron ha haber habia habian hace hacen hacer hacia han hasta hay la las le les lo los mas me mi mientras mis
    mucha muchas mucho muchos muy nada ni ningun ninguna no nos nosotros nuestra nuestro o os otra otras otro otros
    para pero poco por porque pronto puede pueden puedo pues que quien quienes se sea segun ser si sido siempre sin
    sino sobre solo son soy su sus tal tambien tanto te tener tengo ti tiene tienen toda todas todo todos tras tu tus
    u un una unas uno unos usted ustedes vez y ya yo`),
  it: list(`
    a abbiamo ad ai al alcuni alla alle allo altra altre altri altro anche ancora avere aveva c che chi ci cio ciascuno
    come con contro cosa cosi cui d da dagli dai dal dalla dalle dallo degli dei del dell della delle dello deve
    devo di dopo dove due durante e ecco ed era erano essere fa fare fino fra gia gli ha hai hanno ho i il in io l la
    le lei li lo loro lui ma mai me meno mentre mi mia mie miei mio molto ne negli nei nel nell nella nelle nello
    nessuno noi non nostra nostro o ogni oppure per perche piu poco possiamo posso possono prima puo puoi qual quale
    quali quando quanta quante quanti quanto quella quelle quelli quello questa queste questi questo qui quindi se sei
    sempre senza si sia siamo sono sopra sotto sta stata stato su sua sue sugli sui sul sulla sulle suo suoi te ti tra
    troppo tu tua tue tuo tutta tutte tutti tutto un una uno verso vi voi vostra vostro vorrei`),
  pt: list(`
    a ainda alem alguem algum alguma algumas alguns ao aos apenas apos aquela aquele aqui as ate cada com como contra
    da das de dela dele deles depois desde deve devem devo dessa desse desta deste do dos durante e ela elas ele eles
    em enquanto entao entre era eram essa essas esse esses esta estao estar estas estava este estes estou eu faz fazer
    foi foram ha isso isto ja la lhe lhes mais mas me mesmo meu meus minha minhas muita muitas muito muitos na nao nas
    nem nenhum nenhuma no nos nossa nosso num numa o onde os ou outra outras outro outros para pela pelas pelo pelos
    pode podem por porque posso pouco qual quais qualquer quando quanto quantos quantas que quem se seja sem sempre
    ser seu seus sido sim so sob sobre sou sua suas tal tambem tanto tao te tem tempo tenho ter teu toda todas todo
    todos tu tua tudo um uma umas uns voce voces`),
  nl: list(`
    aan al alle alles als altijd ander andere anders bent bij binnen daar daarom dan dat de deze die dit doe doen doet
    door dus een elk elke en er ergens even gaan gaat geen gehad geweest haar had hadden heb hebben heeft hem hen het
    hier hij hoe hoeveel hun iemand iets ik in is ja je jij jou jouw jullie kan kunnen kunt maar mag me meer men met
    mij mijn mijne moet moeten na naar niet niets nog nu of om omdat onder ons onze ook op over per sinds te tegen
    ten ter toch toen tot tussen u uit uw van vaak vanaf veel via volgens voor waar waarom wanneer want waren was wat
    we weer wel welk welke werd werden wie wij wil worden wordt zal ze zeer zelf zich zij zijn zo zonder zou zullen`),
};

// Words that questions are made of and that most texts have: they say little about what is asked.
const weakWords = new Set(list(`
    name names named type types kind kinds sort number numbers year years time times day days people person persons
    thing things place places way ways part parts example examples use used uses using make makes made making take
    takes took taken give gives gave given call called known know knows become became becomes first last new old long
    large great big small several different main important said say says tell told find found want wanted like work
    works happen happens happened occur occurs occurred begin began begun start started starts end ended ends come came
    comes go went goes gone amount term terms word words following two three many cause caused see seen help need needs
    back well often usually today world group member members
    nom noms appelle appelee nomme type types genre sorte nombre annee annees an ans temps jour jours gens personne
    personnes chose choses lieu lieux endroit maniere facon partie parties exemple exemples utiliser utilise utilisee
    utilises sert servir permet permettre prendre prend pris prise donner donne donnee donnees appeler appele connu
    connue savoir connaitre devenir devient devenu premier premiere premiers dernier derniere derniers nouveau nouvelle
    nouveaux ancien ancienne long longue grand grande grands petit petite different differents differente principal
    principale important importante dit dire trouver trouve trouvee vouloir commencer commence commencee finir venir
    vient aller mettre mis mise moyen mot mots terme termes suivant suivante deux trois arriver arrive passer passe
    monde groupe membre membres besoin aider aide souvent`));

// Function words of one language that are full words of French or English: "car", "but", "son", "die", "sei".
const ambiguousWords = new Set(list(`
    car but or son pour fin main war die man hat bin arm den era sin dove come per sei gut dank rat tal mal dies do
    fur sta sera mine das far via te mas ten wit zal wil weer mag door van even over toch via bent of met ter tot`));

const functionWords = new Set(languages.flatMap((language) => [...stopWords[language]]));
const firstLanguages = new Set([...stopWords.fr, ...stopWords.en]);

/**
 * How much a folded word tells about its text: 1 for most, 0.5 for words that questions are made of, 0.05 for function
 * words. It stands in for the inverse document frequency where no collection is at hand.
 */
export function wordWeight(word: string): number {
  if (ambiguousWords.has(word)) return firstLanguages.has(word) ? 0.3 : 0.5;
  if (functionWords.has(word)) return 0.05;
  if (weakWords.has(word)) return 0.5;
  return word.length === 1 ? 0.3 : 1;
}

function list(words: string): string[] {
  return words.trim().split(/\s+/);
}
